using System.Globalization;
using System.Xml.Linq;

namespace Coherency.Bench.Reports.Plots;

/// <summary>Elements of a drawing. Colours and fonts are the page's (report.css), by class.</summary>
internal static class Svg
{
    /// <summary>An image for those who see it, sentences for those who do not.</summary>
    public static XElement Drawing(double width, double height, string title, string description, params IEnumerable<object?> content) => new(
        "svg",
        new XAttribute("viewBox", $"0 0 {Text(width)} {Text(height)}"),
        new XAttribute("role", "img"),
        new XElement("title", title),
        new XElement("desc", description),
        content);

    public static XElement Line(string kind, double x1, double y1, double x2, double y2) =>
        new("line", Class(kind), At("x1", x1), At("y1", y1), At("x2", x2), At("y2", y2));

    public static XElement Rectangle(string kind, double x, double y, double width, double height) =>
        new("rect", Class(kind), At("x", x), At("y", y), At("width", width), At("height", height));

    public static XElement Circle(string kind, double x, double y, double radius) =>
        new("circle", Class(kind), At("cx", x), At("cy", y), At("r", radius));

    /// <summary>A line through points.</summary>
    public static XElement Polyline(string kind, IEnumerable<(double X, double Y)> points) =>
        new("polyline", Class(kind), new XAttribute("points", string.Join(' ', points.Select(point => $"{Text(point.X)},{Text(point.Y)}"))));

    /// <param name="anchor">start, middle or end: what of the text stands at x.</param>
    public static XElement Label(string kind, double x, double y, string anchor, string text) =>
        new("text", Class(kind), At("x", x), At("y", y), new XAttribute("text-anchor", anchor), text);

    /// <summary>Read from below.</summary>
    public static XElement Upright(string kind, double x, double y, string text) => new(
        "text",
        Class(kind),
        new XAttribute("transform", $"translate({Text(x)} {Text(y)}) rotate(-90)"),
        new XAttribute("text-anchor", "middle"),
        text);

    private static XAttribute Class(string kind) => new("class", kind);

    private static XAttribute At(string name, double value) => new(name, Text(value));

    private static string Text(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
