class Grpc {
    private int port = 50051;
    private long timeoutMillis = 30000L;

    void run() throws Exception {
        Server s = ServerBuilder.forPort(50052).maxInboundMessageSize(4194304).build().start();
        ManagedChannel c = ManagedChannelBuilder.forAddress("localhost", 50053).usePlaintext().build();
        DatagramSocket d = new DatagramSocket(5353);
        d.setSoTimeout(3000);
        d.send(new DatagramPacket(new byte[1024], 1024, InetAddress.getLocalHost(), port));
    }
}
