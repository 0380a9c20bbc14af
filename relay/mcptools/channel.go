package mcptools

import (
	"context"
	"slices"
	"strings"

	"autoreview/relay"
)

type channels struct {
	Channels []string `json:"channels"`
	Warning  string   `json:"warning,omitempty"`
}

func (t *tools) channels(ctx context.Context, c call) (any, error) {
	used, err := t.Log.Channels(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(used)+len(t.Options.Channels))
	for _, ch := range used {
		names = append(names, ch.Name)
	}
	for _, name := range relay.Readable(ctx, t.Options.Channels) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return channels{Channels: slices.Compact(names), Warning: c.warning}, nil
}
