import React from 'react';

type Props = { width?: number; height?: number; viewport: { width: number; height: number } };

const importLimit = 5000;
const reportId = 8080;
const supportYears = [2018, 2019, 2020];
const palette = ['#3000ff', '#808080'];

export function Chart({ width = 1280, height = 720 }: Props) {
  const ratio = width / 1080;
  return (
    <svg viewBox="0 0 1280 8000" style={{ zIndex: 3000, maxWidth: '8080px' }}>
      <text x={400} y={3000}>{`report ${reportId} of 9000 at ${ratio}`}</text>
      <line x1="3000" x2="4000" />
    </svg>
  );
}
export const exportBatch = (n = 3000) => Math.min(n, importLimit);
