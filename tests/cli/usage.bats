#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# usage.bats -- what holds for every command: help, a line to copy, wrong options.
# shellcheck disable=SC2154  # what is not set here, common.bash sets
load common

commands='info run verify replay show new bench'

@test "without a command: exit 2, and where help is" {
	try 2
	says 'which command?' 'bitactor --help'
	is_silent
}

@test "--help, -h and help name every command" {
	for word in --help -h help; do
		try 0 "$word"
		for command in $commands; do
			grep -q "^  $command  *[a-z]" <<<"$output"
		done
		[ -z "$stderr" ]
	done
}

@test "--version says the version that the header has" {
	try 0 --version
	version=$(sed -n 's/^#define BITACTOR_VERSION "\(.*\)"/\1/p' \
		"$tree/bitactor/include/bitactor/bitactor.h")
	[ "$output" = "bitactor $version" ]
}

@test "--help of each command: usage, every option, one complete line to copy" {
	for command in $commands; do
		for word in --help -h; do
			try 0 "$command" "$word"
			[[ $output =~ $'\n'"usage: bitactor $command" ]]
			[ "$(grep -c '^example: ' <<<"$output")" -eq 1 ]
			[[ $(tail -n 1 <<<"$output") == "example: bitactor $command"* ]]
			[ -z "$stderr" ]
		done
		# what the usage line names is explained
		while read -r option; do
			grep -qE "^  $option( |$)" <<<"$output" || { echo "$option?"; return 1; }
		done < <(grep '^usage' <<<"$output" | grep -oE '\--[a-z]+')
	done
}

@test "every example line does what it says, one after the other" {
	# a folder like the tree, with this build as build/release and the program in PATH
	mkdir -p build/release bin tests
	ln -s "$modules" build/release/modules
	ln -s "$data" tests/data
	ln -s "$program" bin/bitactor
	PATH=$PWD/bin:$PATH
	for command in run verify replay show new bench info; do
		line=$(bitactor "$command" --help | sed -n 's/^example: //p')
		case $command in
		bench) line+=' --quick' ;; # to see that it runs is enough
		esac
		echo "\$ $line"
		bash -e -o pipefail -c "$line" >out 2>err || { cat out err; return 1; }
		[ -s out ]
	done
	[ -e bus.bitrace/trace ] && [ -e counter/counter.c ]
}

@test "an option that there is none of: exit 2, the nearest, nothing on stdout" {
	for case in info:jsno:json run:modul:module run:sttrict:strict verify:haed:head \
		replay:modules:module show:form:from bench:quik:quick; do
		IFS=: read -r command wrong right <<<"$case"
		try 2 "$command" "--$wrong"
		says "bitactor $command: no option --$wrong" "the nearest is --$right" \
			"bitactor $command --help"
		is_silent
	done
	try 2 new --zzz # it has no options: nothing is near
	says 'no option --zzz'
	[[ $stderr != *nearest* ]]
	try 2 show --form=3 x.bitrace
	says 'no option --form;' '--from'
}

@test "a command that there is none of: exit 2, and the nearest" {
	try 2 verfy
	says 'no command "verfy"' 'the nearest is "verify"'
	is_silent
	try 2 ''
	says 'no command ""'
}

@test "an option without its value, with one too many, with one dash" {
	try 2 run --module
	says 'this option needs a value: --module'
	try 2 verify --deep=yes x
	says 'this option takes no value: --deep=yes'
	try 2 verify -deep x
	says 'options have two dashes: -deep'
	for command in $commands; do
		try 2 "$command" -x
		is_silent
	done
}

@test "an argument missing, or one too many" {
	for command in verify show new; do
		try 2 "$command"
		says 'an argument is missing' "usage: bitactor $command"
		try 2 "$command" one two
		says 'too many arguments, from: two'
	done
	try 2 replay --module x.so
	says 'an argument is missing'
	try 2 info one
	says 'too many arguments, from: one'
	try 2 run one
	says 'too many arguments, from: one'
	try 2 run --input candump:x
	says '--module and --input are needed' 'bitactor run --module'
	try 2 replay x.bitrace
	says '--module is needed' 'bitactor replay'
}

@test "--name=VALUE is --name VALUE; behind -- there are no options" {
	try 0 run --module="$mixed" --input=ndjson:/dev/null --trace=--deep
	try 0 verify -- --deep
	says 'good: every byte is accounted for'
	try 2 run --module="$mixed" --input= --trace=x
	says '"" is not a form of input'
}

@test "numbers are numbers" {
	for wrong in '' x -1 1x 0x10 ' 1' 12345678901234567890; do
		try 2 show x.bitrace --from "$wrong"
		says "--from takes a number, not \"$wrong\""
	done
}
