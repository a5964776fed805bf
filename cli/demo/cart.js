// The shop's cart: answers in pieces, so that the response is chunked.
const http = require("http");

const server = http.createServer((request, response) => {
  response.setHeader("Content-Type", "application/json");
  response.write('{"items":');
  setTimeout(() => response.end("[42]}"), 2);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
