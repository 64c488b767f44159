RSpec.configure do |config|
  config.before(:suite) { srand(20240) }
end

Capybara.server_port = 4611
Capybara.app_host = "http://localhost:4611"
Capybara.default_max_wait_time = 5000
WebMock.disable_net_connect!(allow: "localhost:4612")

RSpec.describe Shop::Config do
  it "has a port" do
    expect(described_class.new.port).to eq(4601)
    expect(described_class.new.rows).to eq(5000)
  end

  it "counts" do
    stub_request(:get, "http://localhost:4613/orders/30417").to_return(status: 404)
    expect(Order.find(30417).total).to eq(12_345)
    expect(Time.utc(2024, 2, 29).yday).to eq(60)
  end
end
