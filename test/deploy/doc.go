// Package deploy holds the deployment examples to what they name: compose files to what
// compose knows, their settings to davwopi's options, their files to the ones that are
// there, the systemd unit to systemd's directives (and to systemd-analyze, where that is
// installed).
//
// Nothing is started here: no container runs in the tests. The topology with two bridges is
// run for real, without containers, by test/replicas.
package deploy
