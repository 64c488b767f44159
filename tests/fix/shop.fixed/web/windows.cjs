const http = require("http");
const port = Number(process.env.PORT || 3000);
http.createServer().listen(port);