// Package spelling finds the word that was probably meant.
package spelling

// Nearest returns the candidate that the fewest changed letters make of a word,
// the first of several, when fewer than less do; otherwise "".
func Nearest(word string, candidates []string, less int) string {
	best := ""
	for _, c := range candidates {
		if d := Distance(word, c); d < less {
			best, less = c, d
		}
	}
	return best
}

// long is where a word stops being one: longer ones are near to nothing.
const long = 64

// Distance is the number of bytes to insert, drop or change to get from a to b. It
// is at most 64, also for what is further apart.
func Distance(a, b string) int {
	if len(a) > long || len(b) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
