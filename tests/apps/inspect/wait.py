"""Says that it is ready and waits until its input is closed."""
import sys

print("ready", flush=True)
sys.stdin.read()
