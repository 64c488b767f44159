	#!/usr/bin/env bash
API_PORT=4010
curl "http://localhost:4010/x"
