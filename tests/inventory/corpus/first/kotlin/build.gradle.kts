plugins {
    kotlin("jvm") version "1.9.20"
    id("org.springframework.boot") version "3.2.0"
}

group = "shop"
version = "2024.1000"

java { toolchain { languageVersion.set(JavaLanguageVersion.of(21)) } }

tasks.withType<Test> {
    systemProperty("server.port", "8099")
    systemProperty("db.url", "jdbc:mysql://localhost:3307/test")
    maxHeapSize = "2048m"
    timeout.set(Duration.ofMillis(60000))
}

jib { container { ports = listOf("8080", "5005"); jvmFlags = listOf("-Xmx1024m") } }
