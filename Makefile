# The targets a contributor needs. `make` shows them.

GO ?= go
export CGO_ENABLED ?= 0

.PHONY: help run test test-race check audit acme release upgrade conform torture gibibyte bench fuzz model browser image deps-debian postgres replicas capacity

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: ## serve ./documents on 127.0.0.1:8880
	$(GO) run ./cmd/davwopi serve

test: ## all tests (servers that are not installed are named and skipped)
	$(GO) test ./...

# SQLite is C that a program has translated: it is not watched for races, nor are its
# pointers checked. What calls it is, and tests take a third of the time.
UNWATCHED = -gcflags='modernc.org/...=-race=false -d=checkptr=0'
PACKAGES ?= ./...

test-race: ## all tests with the race detector; RACE=-short and PACKAGES for some of them
	CGO_ENABLED=1 $(GO) test -race $(UNWATCHED) $(RACE) $(PACKAGES)

# The Go that releases are built with: what is known to be wrong in older ones is no excuse.
RELEASE_GO ?= go1.26.10

check: audit ## formatting, vet, staticcheck, gosec, known vulnerabilities
	test -z "$$(gofmt -l cmd bridge davbackend idmap oauth config test)"
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

audit: ## gosec against test/scripts/gosec.txt, govulncheck with the Go of releases
	report=$$(mktemp) && { $(GO) run github.com/securego/gosec/v2/cmd/gosec@v2.30.0 -quiet -no-fail -fmt json -out $$report -exclude-dir=test ./... \
		&& $(GO) run ./test/scripts/gosec < $$report; status=$$?; rm -f $$report; exit $$status; }
	RELEASE_GO=$(RELEASE_GO) sh test/scripts/vulnerabilities.sh

acme: ## certificates from a real ACME server (Pebble, by the module proxy)
	dir=$$(mktemp -d) && GOBIN=$$dir $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3 github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.10.3 \
		&& DAVWOPI_TEST_PEBBLE=$$dir $(GO) test -count=1 -v -run TestACME ./test/binary; status=$$?; rm -rf $$dir; exit $$status

release: ## programs for every system in ./dist, with checksums and SBOM
	RELEASE_GO=$(RELEASE_GO) sh test/scripts/release.sh dist

# From the last release, or from a hundred commits ago where there is none.
FROM ?= $(shell git describe --tags --abbrev=0 2>/dev/null || git rev-list --max-count=1 --skip=100 HEAD)

upgrade: ## this program on the state of an older one: make upgrade FROM=COMMIT
	dir=$$(mktemp -d) && git clone -q . $$dir/older && (cd $$dir/older && git checkout -q $(FROM) && $(GO) build -o $$dir/davwopi ./cmd/davwopi) \
		&& DAVWOPI_TEST_OLDER=$$dir/davwopi $(GO) test -count=1 -v -run TestUpgrade ./test/binary; status=$$?; rm -rf $$dir; exit $$status

conform: ## Microsoft's cases against the built daemon, on the embedded upstream and on each real one
	$(GO) test -count=1 -v -run TestConform ./test/conform/...

torture: ## 1,000 kills of the daemon, 200 power cuts, 20 deaths at each step: an hour or two
	DAVWOPI_TEST_POINT_ROUNDS=20 $(GO) test -count=1 -v -timeout 0 -run TestEveryPoint ./bridge/saves
	DAVWOPI_TEST_TORTURE_KILLS=1000 DAVWOPI_TEST_TORTURE_DOCUMENTS=200 DAVWOPI_TEST_TORTURE_UPTIME=1300 DAVWOPI_TEST_POWER_CUTS=200 DAVWOPI_TEST_TORTURE_WITHOUT=20 \
		$(GO) test -count=1 -v -timeout 0 ./test/torture

postgres: ## the suites of the rooms, with PostgreSQL in SQLite's place (the journal's run on both anyway)
	DAVWOPI_TEST_STATE=postgres $(GO) test -count=1 -timeout 60m ./bridge/locks ./bridge/access ./bridge/files ./bridge/docsapi ./bridge/history \
		./bridge/rehearse ./davbackend/profile ./idmap/... ./oauth/...

replicas: ## several bridges on one PostgreSQL, at length: 1,000 races, clocks apart, 30 s without a database, 200 kills; an hour
	DAVWOPI_TEST_REPLICAS=1 $(GO) test -count=1 -v -timeout 0 -skip TestCapacity ./test/replicas
	DAVWOPI_TEST_TORTURE_REPLICA_KILLS=200 DAVWOPI_TEST_TORTURE_REPLICA_DOCUMENTS=60 $(GO) test -count=1 -v -timeout 0 -run 'TestReplicas$$' ./test/torture

capacity: ## what 10, 100 and 1,000 open documents cost the database and the file server; half an hour
	DAVWOPI_TEST_CAPACITY=10,100,1000 $(GO) test -count=1 -v -timeout 0 -run TestCapacity ./test/replicas

gibibyte: ## a document of 1 GiB through the journal in a database, and the memory that it takes
	DAVWOPI_TEST_GIBIBYTE=1 $(GO) test -count=1 -v -run TestGibibyte ./test/binary

# About 40 minutes; PARTS="load soak" are some of: load large soak listing ids rooms.
bench: ## what it costs, beside bare requests to the same servers: writes test/bench/RESULTS.md; make bench PARTS=load
	FILES=$(FILES) sh test/scripts/bench.sh $(PARTS)

FUZZ ?= 30s

fuzz: ## half a minute for each fuzz target; before a release make fuzz FUZZ=10m
	sh test/scripts/fuzz.sh $(FUZZ)

model: ## a quarter of a million steps of people, programs and others around the file IDs, on every preset
	DAVWOPI_IDMAP_STEPS=240000 $(GO) test -count=1 -v -timeout 60m -run TestStories ./idmap

browser: ## the loop of a user in Chromium; screenshots in ./screenshots
	mkdir -p screenshots
	DAVWOPI_SCREENSHOTS=$(CURDIR)/screenshots $(GO) test -count=1 -v ./test/browser/...

image: ## build the container image with buildah
	sh test/scripts/image.sh

deps-debian: ## install what the tests start: web servers, rclone, PostgreSQL, Chromium, litmus
	apt-get update
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		apache2 apache2-utils nginx-light libnginx-mod-http-dav-ext lighttpd lighttpd-mod-webdav \
		rclone litmus postgresql chromium chromium-driver fonts-dejavu-core \
		e2fsprogs mount strace buildah busybox-static ca-certificates gcc libc6-dev curl
	command -v npm >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs npm
