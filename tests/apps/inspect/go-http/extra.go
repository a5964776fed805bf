//go:build !cgosample
// +build !cgosample

package main

func extra() int { return len(http2Names()) }

func http2Names() string { return "plain" }
