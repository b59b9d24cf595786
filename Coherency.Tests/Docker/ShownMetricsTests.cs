using System.Text.Json;
using System.Text.RegularExpressions;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Tests.Telemetry;

namespace Coherency.Tests.Docker;

/// <summary>The dashboard and the alerts of docker/ ask for metrics that there are, and Prometheus understands how.</summary>
[Collection(TelemetryBed.OneAtATime)]
public sealed partial class ShownMetricsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void Every_metric_that_is_shown_is_exported()
    {
        HashSet<string> exported = ExportedNames();
        string[] shown = [.. Expressions().SelectMany(NamesIn).Distinct()];
        Assert.True(shown.Length > 15, string.Join(' ', shown));
        Assert.Empty(shown.Except(exported));
    }

    [Fact]
    public void The_names_are_really_found()
    {
        Assert.Equal(
            ["coherency_a_total", "dotnet_b"],
            NamesIn("sum by (coherency_guest) (rate(coherency_a_total{coherency_x=\"y\"}[5m])) / dotnet_b"));
        Assert.Equal(["coherency_inodes"], NamesIn("label_values(coherency_inodes, coherency_share)"));
    }

    [Fact]
    public void Prometheus_accepts_its_configuration_and_the_rules()
    {
        ChildResult check = ChildProcess.Run("promtool", ["check", "config", InDocker("prometheus/prometheus.yml")]);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        Assert.Contains("5 rules found", check.Output + check.Errors, StringComparison.Ordinal);
    }

    /// <summary>Prometheus parses each expression of the dashboard, once Grafana's variables have a value.</summary>
    [Fact]
    public void Prometheus_understands_every_expression_of_the_dashboard()
    {
        string rules = Path.GetTempFileName();
        IEnumerable<string> expressions = Dashboard().Where(expression => !expression.StartsWith("label_values", StringComparison.Ordinal));
        File.WriteAllText(rules, "groups:\n- name: dashboard\n  rules:\n" + string.Concat(expressions.Select((expression, index) =>
            $"  - record: panel_{index}\n    expr: " +
            $"{JsonSerializer.Serialize(expression.Replace("$__rate_interval", "1m", StringComparison.Ordinal))}\n")));
        ChildResult check = ChildProcess.Run("promtool", ["check", "rules", rules]);
        File.Delete(rules);
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
    }

    private static HashSet<string> ExportedNames()
    {
        using TelemetryBed bed = new();
        using VirtioFsGuest writer = bed.Connect(TelemetryBed.GuestA);
        using VirtioFsGuest reader = bed.Connect(TelemetryBed.GuestB);
        using VersionTableReader table = VersionTableReader.Open(bed.TableOf(TelemetryBed.GuestB));
        using CoherentCache cache = CoherentCache.Attach(reader.Fuse, table);
        writer.Fuse.MkDir(NodeId.Root, "directory"u8, 0x1ED);
        File.WriteAllText(Path.Combine(bed.Share, "by the host"), "text");
        string[] names = [];
        Assert.True(
            SpinWait.SpinUntil(
                () => (names = [.. new MetricsText(bed.Scrape()).Names]).Contains("coherency_watcher_delay_seconds_bucket"), Patience),
            "nothing was noticed");
        return [.. names];
    }

    private static IEnumerable<string> Expressions() => Dashboard().Concat(
        RuleExpression().Matches(File.ReadAllText(InDocker("prometheus/rules.yml"))).Select(match => match.Groups[1].Value));

    private static List<string> Dashboard()
    {
        using JsonDocument dashboard = JsonDocument.Parse(File.ReadAllText(InDocker("grafana/coherencyd.json")));
        List<string> expressions = [];
        Collect(dashboard.RootElement, expressions);
        return expressions;
    }

    private static void Collect(JsonElement element, List<string> expressions)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            element.EnumerateArray().ToList().ForEach(item => Collect(item, expressions));
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject())
            {
                if (property.Name is "expr" or "query" && property.Value.ValueKind == JsonValueKind.String)
                {
                    expressions.Add(property.Value.GetString()!);
                }

                Collect(property.Value, expressions);
            }
        }
    }

    /// <summary>Names of metrics: not those of labels, which have the same beginning.</summary>
    private static IEnumerable<string> NamesIn(string expression) =>
        Name().Matches(Labels().Replace(expression, "")).Select(match => match.Value);

    private static string InDocker(string path) => Path.Combine(Repository.Root, "docker", path);

    [GeneratedRegex(@"\{[^}]*\}|\b(?:by|without|on|ignoring)\s*\([^)]*\)|,\s*\w+\)$")]
    private static partial Regex Labels();

    [GeneratedRegex(@"\b(?:coherency|dotnet)_\w+")]
    private static partial Regex Name();

    [GeneratedRegex(@"^\s*expr: (.*)$", RegexOptions.Multiline)]
    private static partial Regex RuleExpression();
}
