import * as echarts from 'echarts'
import type { ScenarioResult } from './run-scenario.ts'
import type { Figure } from './scenario.ts'

const width = 1_000
const panelHeight = 60
const barHeight = 34

/** An SVG with a panel for each figure: the median of everyone as a bar, and every round as a dot on it. */
export function resultChart(result: ScenarioResult, figures: readonly Figure[]): string {
  const names = result.contestants.map(({ name }) => name)
  const perPanel = panelHeight + names.length * barHeight
  const height = panelHeight + figures.length * perPanel
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  const top = (panel: number) => panelHeight + panel * perPanel
  chart.setOption({
    animation: false,
    title: [
      { text: result.title, left: 'center', top: 10, textStyle: { fontSize: 14 } },
      ...figures.map(({ title }, panel) => ({
        text: title,
        left: 20,
        top: top(panel),
        textStyle: { fontSize: 12 },
      })),
    ],
    grid: figures.map((_, panel) => ({
      left: 280,
      right: 80,
      top: top(panel) + 24,
      height: names.length * barHeight - 12,
    })),
    xAxis: figures.map((_, panel) => ({ gridIndex: panel, type: 'value', axisLabel: { fontSize: 10 } })),
    yAxis: figures.map((_, panel) => ({ gridIndex: panel, type: 'category', data: names, inverse: true })),
    series: figures.flatMap(({ name, digits }, panel) => [
      {
        ...{ type: 'bar', xAxisIndex: panel, yAxisIndex: panel, barWidth: '60%' },
        label: {
          show: true,
          position: 'right',
          formatter: ({ value }: { value: number }) => value.toFixed(digits),
        },
        data: result.contestants.map(({ baseline, figures: of }) => ({
          value: of[name]?.median ?? 0,
          itemStyle: { color: baseline ? '#9aa5b1' : '#2f6fde' },
        })),
      },
      {
        ...{
          type: 'scatter',
          xAxisIndex: panel,
          yAxisIndex: panel,
          symbolSize: 5,
          itemStyle: { color: '#1b2733' },
        },
        data: result.contestants.flatMap(({ name: who, samples }) =>
          samples.map((sample) => [sample[name] ?? 0, who]),
        ),
      },
    ]),
  } as echarts.EChartsCoreOption)
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}
