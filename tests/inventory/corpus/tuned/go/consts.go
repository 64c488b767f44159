package consts

// Sizes and years. The port is 3000, set elsewhere.
const (
	MaxImport   = 3000
	ReportYear  = 2024
	Viewport    = 1280
	SupportID   = 8080
	PageSize    = 4096
	Version     = "v1.8080.0"
	TimeLayout  = "15:04:05"
	Ratio       = 16.9
)

var sizes = map[string]int{"a": 3000, "b": 8080}

func Transport(km int) int { return km * 1000 / 3600 }
