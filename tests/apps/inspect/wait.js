// Says that it is ready and waits until its input is closed.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
console.log("ready");
