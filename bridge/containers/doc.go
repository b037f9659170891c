// Package containers is WOPI's containers endpoint: one file per operation.
//
// It owns what each operation of /wopi/containers/{id} means: which right it wants,
// what it asks of identity, locks and saves, and the words of its answer.
//
// It does not own the shared way of a request, the scope of a grant and what files and
// containers answer alike (endpoint), the deeds of a rename and a deletion (locks), the
// making of a file (saves), or how an error becomes a status (endpoint.Refusal).
//
// A caller fills [Containers] and calls [Containers.Mount]. [Containers.Info] is
// CheckContainerInfo for others who answer with it.
//
// Rules: an operation returns, it never answers; every URL in an answer carries a token
// derived for exactly that resource; what our own rules hide is in no answer; a
// container of an upstream is looked at there before it is described.
//
// # Why it is so
//
// 2026-11-28: above the roots of several upstreams stands a container that lies on
// none of them (access.Upstreams.Top), and so it does where the rules let a person see
// several folders but not the root. Nothing can be made, renamed or deleted in it. Its
// ID is the root of a space of its own in idmap: made once, the same for everybody.
//
// 2026-11-28: EnumerateChildren writes files as they arrive and keeps containers, of
// which there are few, for the end: JSON wants them in two lists, and PROPFIND mixes
// them.
//
// 2026-11-28: lock files of desktop programs and temps of ours are no children. They
// come and go, and nobody may open them.
//
// 2026-11-28: what an upstream does not say about rights is taken for given
// (oc:permissions, and current-user-privilege-set where the measuring found it right): a wrong yes is corrected by 501,
// a wrong no by nobody.
//
// 2026-11-28: MKCOL has no intent. Its row is made by whoever sees the folder next, so
// a crash in between leaves an empty folder, and no question that somebody would have
// to settle.
//
// 2026-11-28: a container is renamed to the name that was asked for or not at all; its
// locked files come along if they are the same person's.
package containers
