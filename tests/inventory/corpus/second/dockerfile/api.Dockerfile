FROM eclipse-temurin:21-jre
ENV JAVA_OPTS="-Xmx2048m -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5007"
ENV SERVER_PORT 8801
EXPOSE ${SERVER_PORT}
EXPOSE 5007
STOPSIGNAL SIGTERM
CMD java $JAVA_OPTS -Dserver.port=8801 -Dmanagement.server.port=8802 -jar app.jar
