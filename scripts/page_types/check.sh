#!/bin/sh
# Checks the types of the review page's modules with tsc, of the version and the digest in package-lock.json.
# Says so and ends well where there is no npm or no package index: the page itself needs neither.
set -eu
cd "$(dirname "$0")/../.."
here=scripts/page_types
there=.venv/page-types
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo "types of the review page: not checked, no npm was found"
    exit 0
fi
stamp=$(cat $here/package.json $here/package-lock.json | cksum)
if [ ! -f $there/stamp ] || [ "$(cat $there/stamp)" != "$stamp" ]; then
    mkdir -p $there
    cp $here/package.json $here/package-lock.json $there/
    if ! said=$(cd $there && npm ci --ignore-scripts --no-audit --no-fund 2>&1); then
        case $said in
        *EINTEGRITY*) echo "$said" >&2; exit 1 ;;
        esac
        echo "types of the review page: not checked, TypeScript could not be installed"
        exit 0
    fi
    echo "$stamp" >$there/stamp
fi
exec node $there/node_modules/typescript/bin/tsc --project $here --incremental --tsBuildInfoFile "$PWD/.venv/page-types.state"
