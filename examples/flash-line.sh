#!/bin/sh
# Registers boards one after another on a factory line. Each line of LIST is the address of a board (ssh)
# that runs its image; LOG gets one line for each: its address, exit code, UUID or error.
# Usage: flash-line.sh LIST LOG     needs ssh and python3; DEVICE_API and TOKEN_FILE in the environment
set -eu
list=$1 log=$2
# How to run a command on a board, the board first.
on_board=${ON_BOARD:-ssh -o BatchMode=yes}

# A field of the JSON object on standard input.
field() {
    python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]) or "")' "$1"
}

failed=0
while read -r board <&3; do
    [ -n "$board" ] || continue
    tries=0
    while :; do
        code=0
        # The token goes through standard input into a file of memory, never into a command line.
        # shellcheck disable=SC2086
        said=$($on_board "$board" "umask 077; cat >/run/api-token; DEVICE_API='$DEVICE_API' \
            lmp-device-register --json --api-token-file /run/api-token ${OPTIONS:-}; \
            code=\$?; rm -f /run/api-token; exit \$code" <"$TOKEN_FILE" 2>>"$log.errors") || code=$?
        tries=$((tries + 1))
        # 11, 73, 75, and 255 of ssh itself: trying again may help. An interrupted run is continued.
        case $code in
            11 | 73 | 75 | 255) [ "$tries" -lt 3 ] || break; sleep "${PAUSE:-10}" ;;
            *) break ;;
        esac
    done
    case $code in
        0) echo "$board $code $(echo "$said" | field uuid)" ;;
        # Registered in an earlier pass of this list.
        10) echo "$board $code already" ;;
        *)
            failed=$((failed + 1))
            echo "$board $code $(echo "$said" | field message 2>/dev/null || echo 'no answer')"
            ;;
    esac >>"$log"
    case $code in
        # The token or a setting of this line is wrong: the next board would fail, too.
        64 | 77 | 78) echo "stopped at $board: exit code $code, see $log" >&2; exit 1 ;;
    esac
done 3<"$list"
[ "$failed" = 0 ] || { echo "$failed boards failed, see $log" >&2; exit 1; }
