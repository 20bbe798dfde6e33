#!/bin/sh
# capabilities.sh NAME OBJECT...: fails if an object, compiled for the instruction set NAME, defines a
# function that the linker could merge with that of another set and is not in the namespace NAME.
capability=$1
shift
shared=$(nm -C --defined-only "$@" | grep -E '^[0-9a-f]+ [WVu] ' | grep -v "::$capability::" |
  grep -v 'DW.ref.__gxx_personality_v0$')
[ -z "$shared" ] || { echo "capabilities: $* share with other instruction sets:"; echo "$shared"; exit 1; }
