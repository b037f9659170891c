#!/bin/sh
# Runs the parts of `make bench` that are named, or all, keeps what each printed in
# test/bench/results and writes test/bench/RESULTS.md anew. A part that fails leaves its
# old results. FILES is how many files the map of IDs has, QUICK=1 is to try it out.
set -eu
files=${FILES:-1000000}
results=test/bench/results
short=
[ -z "${QUICK:-}" ] || { short=-short; files=20000; }
program=$(mktemp -d) # and the map of IDs
trap 'rm -rf "$program"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$results"
failed=

# bench MINUTES FLAG... runs benchmarks of test/bench.
bench() {
	minutes=$1
	shift
	(cd test/bench && timeout --foreground "${minutes}m" "$program/bench" -test.run '^$' -test.timeout 0 ${short:+-test.short} "$@")
}

# The rooms' own, a quarter of a second each.
rooms() {
	# shellcheck disable=SC2046 # a list of folders
	timeout --foreground 10m go test -run '^$' -bench . -benchtime 250ms -benchmem -timeout 0 ${short:+-short} \
		$(grep -rl --include='*_test.go' '^func Benchmark' bridge davbackend idmap oauth | xargs -n1 dirname | sort -u | sed 's,^,./,')
}

part() {
	case $1 in
	load) bench 15 -test.bench 'Load$' -test.benchtime 1x ;;
	large) bench 10 -test.bench 'Large$' -test.benchtime 1x ;;
	soak) bench 30 -test.bench 'Soak$' -test.benchtime 1x ;;
	listing) bench 10 -test.bench 'Listing' -test.benchtime 1x ;;
	ids)
		export DAVWOPI_BENCH_FILES="$files" DAVWOPI_BENCH_DIR="$program"
		bench 10 -test.bench 'IDs$/(Size|Cold|Warm)' -test.benchtime 20000x -test.count 3 &&
			bench 10 -test.bench 'IDs$/(Rename|Save|Memory)' -test.benchtime 500x -test.count 3 &&
			bench 5 -test.bench 'IDs$/List1000New' -test.benchtime 10x -test.count 3 &&
			bench 5 -test.bench 'Start$' -test.benchtime 7x -test.count 3
		;;
	rooms) rooms ;;
	*) echo "no part is called $1: load large soak listing ids rooms" >&2; return 2 ;;
	esac
}

go test -c -o "$program/bench" ./test/bench
for name in ${*:-load large soak listing ids rooms}; do
	echo "== $name"
	before=$(cut -d' ' -f1-3 /proc/loadavg)
	# What a part returns would be lost in the pipe.
	{ part "$name" && touch "$program/good"; } 2>&1 | tee "$program/said"
	if [ -e "$program/good" ]; then
		rm "$program/good"
		{
			echo "date: $(date -u +%Y-%m-%dT%H:%MZ)"
			echo "commit: $(git rev-parse --short HEAD)"
			echo "machine: $(uname -sm), $(nproc) processors, $(awk '/MemTotal/ {printf "%d GiB", $2 / 1048576}' /proc/meminfo), $(go env GOVERSION)"
			echo "load: $before before, $(cut -d' ' -f1-3 /proc/loadavg) after${short:+; QUICK: too little to say anything}"
			grep -v '^ok ' "$program/said"
		} >"$results/$name.txt"
	else
		failed="$failed $name"
	fi
done
go run ./test/bench/table
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
