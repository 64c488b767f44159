import grpc
import psycopg2
import pymysql

channel = grpc.insecure_channel("localhost:50052")
conn = psycopg2.connect("host=localhost port=5432 dbname=shop connect_timeout=3000")
other = psycopg2.connect(host="db", port=5433, dbname="shop", options="-c statement_timeout=30000")
third = pymysql.connect(host="localhost", user="root", port=3306, read_timeout=6000)
server = grpc.server(None, maximum_concurrent_rpcs=1000)
server.add_insecure_port("[::]:50053")
