# Loaded before Ruby's tests, whose "0" for a port ruby.sh has made FixedPort.next: the next fixed number (lib.sh).
module FixedPort
  @next = ENV["FIXED_FIRST"].to_i
  @last = ENV["FIXED_LAST"].to_i
  def self.next
    return 0 if @next > @last
    (@next += 1) - 1
  end
end
