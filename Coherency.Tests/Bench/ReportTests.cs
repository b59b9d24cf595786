using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Coherency.Bench.Reports;
using Coherency.Bench.Results;
using static Coherency.Tests.Bench.MadeUpResults;

namespace Coherency.Tests.Bench;

/// <summary>What stands in a report, as a page and as Markdown.</summary>
public class ReportTests
{
    private const string Rude = "<script>alert('&')</script>|*x*";

    [Fact]
    public void The_page_is_well_formed_and_needs_nothing_else()
    {
        XDocument page = Page(Everything());
        Assert.Equal("html", page.Root!.Name);
        Assert.Empty(page.Descendants("script"));
        Assert.Empty(page.Descendants("link"));
        Assert.Empty(page.Descendants().Attributes("href"));
        Assert.All(page.Descendants().Attributes("src"), source => Assert.StartsWith("data:", source.Value, StringComparison.Ordinal));
        Assert.DoesNotContain("url(", page.Descendants("style").Single().Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_have_as_many_cells_as_their_table_has_columns()
    {
        XElement[] tables = [.. Page(Everything()).Descendants("table")];
        Assert.NotEmpty(tables);
        Assert.All(
            tables,
            table => Assert.All(table.Descendants("tr"), row => Assert.Equal(table.Descendants("th").Count(), row.Elements().Count())));
    }

    [Fact]
    public void Plots_can_be_read_without_seeing_them()
    {
        XElement[] plots = [.. Page(Everything()).Descendants("img")];
        Assert.NotEmpty(plots);
        Assert.All(plots, plot => Assert.NotEqual("", plot.Attribute("alt")!.Value));
        Assert.Contains(
            plots, plot => plot.Attribute("alt")!.Value.Contains("coherencyd coherent: 10.0 at 1, 40.0 at 8.", StringComparison.Ordinal));
    }

    [Fact]
    public void A_name_is_text_and_never_markup()
    {
        BenchResults results = new MadeUpResults { Command = Rude }
            .Contender(Rude, Rude)
            .Program("find", Rude, CacheState.Warm, 1, 1, 2, 3)
            .Stale(Rude, 1, 1, writer: Rude)
            .Build();
        XDocument page = Page(results);
        Assert.Empty(page.Descendants("script"));
        Assert.Empty(page.Descendants("em"));
        Assert.Contains(page.Descendants("td"), cell => cell.Value.StartsWith(Rude, StringComparison.Ordinal));
        Assert.DoesNotContain("<script>", Html(results), StringComparison.Ordinal);

        string[] lines = Markdown(results).Split('\n');
        Assert.DoesNotContain(
            lines,
            line => line.StartsWith('|') && line.Contains("<script>", StringComparison.Ordinal) && !line.Contains(
                @"\<script\>", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains(@"\|\*x\*", StringComparison.Ordinal));
    }

    [Fact]
    public void Control_characters_do_not_break_the_page() =>
        Assert.Contains("1\uFFFD2", Page(new MadeUpResults().Contender("odd", "1\u001b2").Build()).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Numbers_are_the_same_in_every_country()
    {
        BenchResults results = Everything();
        (string html, string markdown) = (Html(results), Markdown(results));
        CultureInfo country = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        country.NumberFormat.NumberDecimalSeparator = ",";
        country.NumberFormat.NumberGroupSeparator = ".";
        country.NumberFormat.NegativeSign = "~";
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = country;
            Assert.Equal(Words(html), Words(Html(results)));
            Assert.Equal(markdown, Markdown(results));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_time_has_its_interval_where_there_are_samples_enough()
    {
        MedianEstimate expected = Statistics.EstimateMedian([1.0, 2.0, 3.0, 4.0, 5.0]);
        string[] row = Row(new MadeUpResults().Program("find", Coherent, CacheState.Warm, 1, 1, 2, 3, 4, 5).Build(), Coherent);
        Assert.Contains($"3.00 [{Readable.Number(Math.Max(0, expected.Low))}–{Readable.Number(expected.High)}]", row);
        Assert.Contains("3.00", Row(new MadeUpResults().Program("find", Coherent, CacheState.Warm, 1, 3).Build(), Coherent));
    }

    [Fact]
    public void A_stale_contender_is_marked_beside_its_time()
    {
        string[] row = Row(Everything(), RustAlways);
        Assert.Contains(
            row,
            cell => cell.StartsWith("0.500", StringComparison.Ordinal) && cell.EndsWith(
                "stale in 3 of 200 looks", StringComparison.Ordinal));
        Assert.DoesNotContain(Row(Everything(), Coherent), cell => cell.Contains("stale", StringComparison.Ordinal));
    }

    [Fact]
    public void Ratios_are_to_the_best_peer_to_the_best_that_is_never_stale_and_to_the_limit()
    {
        string[] row = Row(Everything(), Coherent);
        Assert.Equal(["0.50", "6.00", "0.25"], row[^3..]);
    }

    [Fact]
    public void Who_could_not_be_measured_is_shown_and_why()
    {
        string[] failed = Row(Everything(), "nfs");
        Assert.Contains("the export went away", failed[0], StringComparison.Ordinal);
        Assert.EndsWith("not measured", failed[0], StringComparison.Ordinal);
        Assert.Contains("9p loose not measured", Page(Everything()).Descendants("td").Select(Text));
        XElement missing = Page(Everything()).Descendants("p").Single(
            caption => caption.Value.Contains("could not be measured", StringComparison.Ordinal));
        Assert.Contains("9p loose", missing.ElementsAfterSelf("table").First().Descendants("td").Select(Text));
    }

    [Fact]
    public void A_program_that_went_wrong_is_no_peer_to_be_compared_with()
    {
        BenchResults results = new MadeUpResults()
            .Program("find", Coherent, CacheState.Warm, 1, 1)
            .Program("find", RustNever, CacheState.Warm, 1, 6)
            .Wrong("find", RustAlways, 0.1)
            .Build();
        Assert.Contains("6.00", Row(results, Coherent));
        Assert.Contains(Row(results, RustAlways), cell => cell.EndsWith("wrong result", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_what_two_runs_measured_the_later_one_counts()
    {
        BenchResults first = new MadeUpResults().Program("find", Coherent, CacheState.Warm, 1, 1).Program(
            "find", RustAlways, CacheState.Warm, 1, 1).Build();
        BenchResults second = new MadeUpResults().Program("find", Coherent, CacheState.Warm, 1, 2).Build();
        Findings findings = new([first, second]);
        Situation situation = Assert.Single(findings.Situations);
        Assert.Equal(2, findings.Find(situation, Coherent, Quantity.Duration)!.Value.Median);
        Assert.Null(findings.Find(situation, RustAlways, Quantity.Duration));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0001234, "1.2e-4")]
    [InlineData(0.01234, "0.012")]
    [InlineData(1.234, "1.23")]
    [InlineData(12.34, "12.3")]
    [InlineData(123.4, "123")]
    [InlineData(1234567, "1,234,567")]
    public void Three_digits_count(double value, string text) => Assert.Equal(text, Readable.Number(value));

    private static BenchResults Everything() => new MadeUpResults()
        .Contender(Coherent)
        .Contender(RustAlways)
        .Contender(RustNever)
        .Contender("nfs")
        .Contender("9p loose")
        .Contender(Limit)
        .Program("find", Coherent, CacheState.Warm, 1, 1)
        .Program("find", RustAlways, CacheState.Warm, 1, 0.5)
        .Program("find", RustNever, CacheState.Warm, 1, 6)
        .Program("find", Limit, CacheState.Warm, 1, 0.25)
        .Failed("find", "nfs", "the export went away")
        .Daemon("lookup", new Conditions(Depth: 1), Coherent, Quantity.LatencyP50, 10)
        .Daemon("lookup", new Conditions(Depth: 8), Coherent, Quantity.LatencyP50, 40)
        .Daemon("lookup", new Conditions(Depth: 1), RustAlways, Quantity.LatencyP50, 20)
        .Daemon("lookup", new Conditions(Depth: 8), RustAlways, Quantity.LatencyP50, 1234.5)
        .Stale(Coherent, looks: 200, stale: 0)
        .Stale(RustAlways, looks: 100, stale: 3)
        .Stale(RustAlways, looks: 100, stale: 0, writer: "the host")
        .Stale(RustNever, looks: 200, stale: 0)
        .Build();

    /// <summary>Without the drawings, in which Skia numbers things through all that it draws.</summary>
    private static string Words(string html) => Regex.Replace(html, "base64,[^\"]*", "");

    private static string Html(BenchResults results) => Report.Build([results]).ToHtml();

    private static string Markdown(BenchResults results) => Report.Build([results]).ToMarkdown();

    private static XDocument Page(BenchResults results) => XDocument.Parse(Html(results));

    /// <summary>The cells of a contender in the table of its programs' times.</summary>
    private static string[] Row(BenchResults results, string contender) =>
    [
        .. Page(results).Descendants("h2").Single(title => title.Value == "Programs in virtual machines")
            .ElementsAfterSelf("table").First()
            .Descendants("tr").Single(row => Text(row.Elements().First()).StartsWith(contender, StringComparison.Ordinal))
            .Elements().Select(Text),
    ];

    private static string Text(XElement cell) => string.Join(' ', cell.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
