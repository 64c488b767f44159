module portshim.test/talk

go 1.18
