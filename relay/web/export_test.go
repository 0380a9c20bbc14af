package web

// Render is what a message's text becomes.
func Render(text string) string { return render(text).HTML }

// MaxRenderBytes is how much of a text is rendered.
const MaxRenderBytes = maxRenderBytes
