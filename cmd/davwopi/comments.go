package main

import (
	"context"

	"davwopi/bridge/web"
	"davwopi/idmap"
)

// commentsOn hands the comments that the files endpoint keeps to the pages.
func (h *house) commentsOn(ctx context.Context, file idmap.FileID, limit int) ([]web.Comment, bool, error) {
	kept, cut, err := h.comments.Comments(ctx, file, limit)
	list := make([]web.Comment, 0, len(kept))
	for _, c := range kept {
		shown := web.Comment{Name: c.Name, Text: c.Data.CommentText, At: c.Kept, Changed: c.Changed, Reply: c.Data.IsReply}
		for _, human := range c.People {
			if human.Mentioned && human.Name != "" {
				shown.For = append(shown.For, human.Name)
			}
		}
		list = append(list, shown)
	}
	return list, cut, err
}
