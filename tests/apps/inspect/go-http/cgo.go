//go:build cgosample
// +build cgosample

package main

// static int twice(int value) { return 2 * value; }
import "C"

func extra() int { return int(C.twice(21)) }
