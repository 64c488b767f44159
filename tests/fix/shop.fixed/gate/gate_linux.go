package main

var listen = ":" + envOr("PORT", "8080")
