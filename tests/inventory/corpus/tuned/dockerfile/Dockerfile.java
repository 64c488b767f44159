FROM eclipse-temurin:21
ARG SERVER_PORT=8080
ARG JAR=app-2024.1000.jar
ENV JAVA_OPTS="-Xmx2048m -agentlib:jdwp=transport=dt_socket,address=*:5005" MANAGEMENT_PORT=9090
EXPOSE 8080/tcp
ENTRYPOINT exec java -Dserver.port=8080 -jar /app.jar --timeout=3000
