#!/bin/sh
# Starts one service: scripts/dev.sh backend. Says beforehand what is in its way, and what it needs.
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
web) folder=apps/web start=server.mjs ;;
studio) folder=apps/studio start=dev.mjs ;;
front) folder=apps/front start=server.mjs ;;
gateway | backend | artifacts) folder=services/$1 start=main.mjs ;;
*)
	echo "usage: scripts/dev.sh web|studio|front|gateway|backend|artifacts" >&2
	exit 2
	;;
esac

# It runs already, in this checkout.
if port=$(portshim port "$1" 2>/dev/null); then
	echo "$1 runs already, on $port: portshim free $1 ends it" >&2
	exit 1
fi
# What the gateway cannot do without. Redis is optional.
if [ "$1" = gateway ] && ! portshim health --quiet postgresql; then
	echo "the gateway needs PostgreSQL on 5432; start it first" >&2
	exit 1
fi
cd "$folder"
exec portshim run -- node "$start"
