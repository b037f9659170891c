package sqldb

import "strings"

// In is what follows an IN: "(?, ?, ...)" and its arguments, the values, at least one. They
// are filled up with the last one to a power of two: the database then sees few different
// texts, of which each is prepared and kept, however long the lists are that come.
func In[T any](values []T) (marks string, args []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	args = make([]any, n)
	for i := range args {
		args[i] = values[min(i, len(values)-1)]
	}
	return "(?" + strings.Repeat(", ?", n-1) + ")", args
}
