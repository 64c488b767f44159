<?php

use PHPUnit\Framework\TestCase;

final class InvoiceTest extends TestCase
{
    public function testTotals(): void
    {
        $invoice = new Invoice(3000, 'EUR', 2024);
        $invoice->add('Transport', 8080);
        $this->assertSame(11080, $invoice->total());
        $this->assertEquals('INV-5000', $invoice->number(5000));
        $this->assertStringContainsString('localhost', 'http://localhost/invoices/9000');
    }

    public function testHook(): void
    {
        $client = new Client(['base_uri' => 'http://localhost:8001', 'timeout' => 2000]);
        $this->assertSame(200, $client->get('/')->getStatusCode());
    }
}
