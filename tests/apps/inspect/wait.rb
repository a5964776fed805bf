# Says that it is ready and waits until its input is closed.
$stdout.sync = true
puts "ready"
$stdin.read
