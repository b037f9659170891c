#!/bin/sh
# A new user follows the README: clone into an empty folder, run the first command
# of "Try it", open the printed link, list the files, and save an edit of a text
# file through the same requests that the built-in editor makes. Says how long it
# took, and fails beyond five minutes.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
start=$(date +%s)
work=$(mktemp -d)
pid=
stop() {
	[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }
	rm -rf "$work"
}
trap stop EXIT INT TERM

git clone -q "$source" "$work/davwopi"
cd "$work/davwopi"

# The first shell block of "Try it", word by word.
command=$(awk '/^## Try it/ {t=1} t && /^```$/ {exit} t && b {print} t && /^```sh$/ {b=1}' README.md)
invite=$(grep -m1 '^go run ./cmd/davwopi invite' README.md)
echo "README says: $command"
# Built beforehand by the same tool, so that the process that is stopped at the end is the daemon itself.
[ "$command" = "go run ./cmd/davwopi serve" ]
go build -o "$work/bin/davwopi" ./cmd/davwopi
"$work/bin/davwopi" serve >"$work/out" 2>"$work/log" &
pid=$!
for _ in $(seq 100); do grep -q /link/ "$work/out" && break; sleep 0.1; done
link=$(sed -n 's/.*\(http:[^ ]*\/link\/[^ ]*\).*/\1/p' "$work/out")
base=${link%/link/*}
[ -n "$link" ] || { cat "$work/out" "$work/log"; exit 1; }

curl -sfS -c "$work/jar" -o /dev/null -X POST "$link"
curl -sfS -b "$work/jar" -L "$base/" >"$work/list.html"
grep -q Welcome.txt "$work/list.html"
echo "signed in; the page lists Welcome.txt"
[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST "$link")" != 303 ] || { echo "the link worked twice"; exit 1; }

# What the text editor does, with the token that the host page would give it.
"$work/bin/davwopi" open -json /Welcome.txt >"$work/open.json"
src=$(sed -n 's/.*"wopi_src": "\([^"]*\)".*/\1/p' "$work/open.json")
token=$(sed -n 's/.*"access_token": "\([^"]*\)".*/\1/p' "$work/open.json")
wopi() { curl -sfS "$@"; }
wopi "$src?access_token=$token" | grep -q '"BaseFileName":"Welcome.txt"'
wopi -X POST -H 'X-WOPI-Override: LOCK' -H 'X-WOPI-Lock: readme' "$src?access_token=$token"
wopi "$src/contents?access_token=$token" >"$work/text"
echo "an edit by somebody who followed the README" >>"$work/text"
wopi -X POST -H 'X-WOPI-Override: PUT' -H 'X-WOPI-Lock: readme' --data-binary "@$work/text" "$src/contents?access_token=$token"
wopi -X POST -H 'X-WOPI-Override: UNLOCK' -H 'X-WOPI-Lock: readme' "$src?access_token=$token"
echo
cmp "$work/text" documents/Welcome.txt
echo "the edit is in documents/Welcome.txt"

echo "README says: $invite"
"$work/bin/davwopi" ${invite#go run ./cmd/davwopi } | grep -q /link/
echo "a second link was printed"
took=$(($(date +%s) - start))
echo "from clone to a saved edit: $took s"
[ "$took" -lt 300 ]
