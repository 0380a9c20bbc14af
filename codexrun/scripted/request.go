package scripted

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Request is one request of Codex to the model, read only.
type Request struct {
	// N counts the requests of a Model, from 1.
	N      int
	Header http.Header
	// Body is the JSON as it was sent.
	Body []byte

	parsed requestBody
}

type requestBody struct {
	Model string      `json:"model"`
	Input []inputItem `json:"input"`
	Tools []tool      `json:"tools"`
	Text  struct {
		Format struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"text"`
	PromptCacheKey string `json:"prompt_cache_key"`
}

type inputItem struct {
	Type    string          `json:"type"`
	Role    string          `json:"role"`
	Content []contentPart   `json:"content"`
	CallID  string          `json:"call_id"`
	Output  json.RawMessage `json:"output"`
}

type contentPart struct {
	Text string `json:"text"`
}

type tool struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Tools []tool `json:"tools"` // of a namespace
}

func newRequest(h http.Header, body []byte) Request {
	r := Request{Header: h, Body: body}
	// A body that does not parse leaves the accessors empty; Body still shows it.
	_ = json.Unmarshal(body, &r.parsed)
	return r
}

// Model is the model that was asked for.
func (r Request) Model() string { return r.parsed.Model }

// ThreadID is Codex's thread id.
func (r Request) ThreadID() string { return r.parsed.PromptCacheKey }

// Schema is the JSON schema that the answer must follow, nil for none.
func (r Request) Schema() json.RawMessage { return r.parsed.Text.Format.Schema }

// Prompt is the last message of the user: what the run was asked.
func (r Request) Prompt() string {
	users := r.Texts("user")
	if len(users) == 0 {
		return ""
	}
	return users[len(users)-1]
}

// Texts are the messages of a role ("developer", "user", "assistant") in
// order, each with its parts joined.
func (r Request) Texts(role string) []string {
	var texts []string
	for _, item := range r.parsed.Input {
		if item.Type == "message" && item.Role == role {
			texts = append(texts, item.text())
		}
	}
	return texts
}

func (i inputItem) text() string {
	var b strings.Builder
	for _, part := range i.Content {
		b.WriteString(part.Text)
	}
	return b.String()
}

// Tools are the names of the tools on offer; one of an MCP server has its
// namespace before it, as in "mcp__relay/post_message".
func (r Request) Tools() []string {
	var names []string
	for _, t := range r.parsed.Tools {
		if t.Type != "namespace" {
			names = append(names, t.Name)
			continue
		}
		for _, inner := range t.Tools {
			names = append(names, t.Name+"/"+inner.Name)
		}
	}
	return names
}

// HasTool says whether a tool of this name, as Tools gives it, is on offer.
func (r Request) HasTool(name string) bool {
	for _, n := range r.Tools() {
		if n == name {
			return true
		}
	}
	return false
}

// ToolOutputs are the outputs of the tool calls since the last message of the
// user, in order.
func (r Request) ToolOutputs() []string {
	var outputs []string
	for _, item := range r.parsed.Input {
		switch {
		case item.Type == "message" && item.Role == "user":
			outputs = nil
		case strings.HasSuffix(item.Type, "_call_output"):
			outputs = append(outputs, outputText(item.Output))
		}
	}
	return outputs
}

// outputText is a string as it is, and the texts of a list of parts joined.
func outputText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var parts []contentPart
	if json.Unmarshal(raw, &parts) == nil {
		return inputItem{Content: parts}.text()
	}
	return string(raw)
}
