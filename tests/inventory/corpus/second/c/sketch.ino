#include <ESP8266WiFi.h>
#include <ESP8266WebServer.h>
#include <PubSubClient.h>

ESP8266WebServer server(80);
WiFiUDP udp;
const char *broker = "192.168.1.10";
const int mqtt_port = 1883;
unsigned int localUdpPort = 4210;
const long interval = 60000;

void setup() {
  Serial.begin(9600);
  client.setServer(broker, mqtt_port);
  udp.begin(localUdpPort);
  analogWrite(5, 1023);
  delay(2000);
}
