#!/bin/sh
# Print the table of examples/wordcount for a directory, counted by grep, tr, sort, uniq and sed:
#
#   sh coreutils.sh DIRECTORY
#
# Files that hold a NUL byte are left out; "grep -h ''" ends the last line of a file that does not.
set -eu
LC_ALL=C
export LC_ALL
cd "$1"
find . -type f -print0 |
	xargs -0 -r grep -LZaP '\x00' |
	xargs -0 -r grep -ah '' |
	tr -cs 'A-Za-z0-9_' '\n' |
	sed '/^$/d' |
	sort -S 256M |
	uniq -c |
	sort -k1,1nr -k2 |
	sed -E 's/^ *([0-9]+) /\1\t/'
