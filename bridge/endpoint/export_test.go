package endpoint

// Crowd is how many requests of a grant run and wait.
func Crowd(e *Endpoint, grant string) int {
	e.turns.mu.Lock()
	defer e.turns.mu.Unlock()
	if c := e.turns.of[grant]; c != nil {
		return c.users
	}
	return 0
}
