threads 1, 5
port Integer(ENV.fetch("PORT", "4020"))
bind "tcp://0.0.0.0:#{ENV.fetch("PORT", "4020")}"
environment "development"
