#!/bin/sh
# capabilities.sh NAME OBJECT: fails if the object, compiled for the instruction set NAME, defines a
# function that the linker could merge with that of another set and is not in the namespace NAME.
shared=$(nm -C --defined-only "$2" | grep -E '^[0-9a-f]+ [WVu] ' | grep -v "::$1::" |
  grep -v 'DW.ref.__gxx_personality_v0$')
[ -z "$shared" ] || { echo "capabilities: $2 shares with other instruction sets:"; echo "$shared"; exit 1; }
