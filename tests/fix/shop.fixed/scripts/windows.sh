#!/usr/bin/env bash
API_PORT=${API_PORT:-4010}
curl "http://localhost:${API_PORT:-4010}/x"
