package doctor

import "fmt"

// Repair does the repairs of a report that cannot do harm: it makes missing
// folders, takes away the access of others to private files, removes what ended
// processes left, and has Environment.Repair set up what is missing. It says in
// Fixed what it did. Whether that was enough, another examination tells.
func Repair(r Report) (did []Result) {
	for _, res := range r.Results {
		if res.repair == nil {
			continue
		}
		said, err := res.repair()
		if err != nil {
			res.Cause, res.Fixed = fmt.Sprintf("the repair failed: %v", err), ""
		} else {
			res.Fixed = said
		}
		did = append(did, res)
	}
	return did
}
