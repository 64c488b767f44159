ƒthreads 1, 5
port 4020
bind 'tcp://0.0.0.0:4020'
environment "development"
