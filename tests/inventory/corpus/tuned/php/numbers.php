<?php
/* 3000, 8080: not ports */
class Report
{
    const MAX = 3000;
    private int $support = 8080;
    public array $years = [2020, 2024];

    public function passport(int $n = 5000): string
    {
        return sprintf('%d of %d at 12:%d', $n, 4000, 3000);
    }
}
