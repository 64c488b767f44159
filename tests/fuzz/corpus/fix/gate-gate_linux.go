…package main

var listen = ":8080"
