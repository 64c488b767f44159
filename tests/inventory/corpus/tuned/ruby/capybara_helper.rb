Capybara.server_port = 31337
Capybara.app_host = 'http://localhost:31337'
Capybara.default_max_wait_time = 5000
RSpec.describe 'orders' do
  it 'has 3000' do
    visit '/orders/3000'
    expect(page).to have_content('2024')
    expect(Order.count).to eq(1000)
  end
end
