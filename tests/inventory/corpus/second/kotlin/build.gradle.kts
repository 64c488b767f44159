plugins {
    kotlin("jvm") version "1.9.24"
    id("org.springframework.boot") version "3.2.5"
}

kotlin { jvmToolchain(17) }

tasks.named<BootRun>("bootRun") {
    jvmArgs("-Xmx2048m", "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5006")
    args("--server.port=8184", "--spring.profiles.active=dev")
    environment("MANAGEMENT_PORT", "9185")
}

tasks.test { maxHeapSize = "1024m"; systemProperty("test.port", "8185"); timeout = Duration.ofMinutes(2000) }

jib { container { ports = listOf("8184", "9185"); jvmFlags = listOf("-Xms512m") } }
