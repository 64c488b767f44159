/** Status codes; 8080 is in the configuration. */
public enum Codes {
    OK(2000), GONE(4100), LATE(5040);

    private final int code;
    private static final int MAX_REPORTS = 3000;
    private static final String SUPPORT = "0800-3000";

    Codes(int code) { this.code = code; }

    boolean imports(int n) { return n > 1000 && n < 8080 || code == 443; }
}
