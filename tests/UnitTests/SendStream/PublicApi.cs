using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using ZfsSnapshotManager.UnitTests.Architecture;

namespace ZfsSnapshotManager.UnitTests.SendStream;

/// <summary>The public types and members of the library, as text: one line each, sorted.</summary>
internal static class PublicApi
{
    private static readonly SymbolDisplayFormat TypeFormat = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters
            | SymbolDisplayGenericsOptions.IncludeVariance
            | SymbolDisplayGenericsOptions.IncludeTypeConstraints,
        kindOptions: SymbolDisplayKindOptions.IncludeTypeKeyword
    );

    private static readonly SymbolDisplayFormat MemberFormat = new(
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters
            | SymbolDisplayGenericsOptions.IncludeTypeConstraints,
        memberOptions: SymbolDisplayMemberOptions.IncludeType
            | SymbolDisplayMemberOptions.IncludeModifiers
            | SymbolDisplayMemberOptions.IncludeParameters
            | SymbolDisplayMemberOptions.IncludeRef
            | SymbolDisplayMemberOptions.IncludeConstantValue,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType
            | SymbolDisplayParameterOptions.IncludeName
            | SymbolDisplayParameterOptions.IncludeDefaultValue
            | SymbolDisplayParameterOptions.IncludeModifiers,
        propertyStyle: SymbolDisplayPropertyStyle.ShowReadWriteDescriptor,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier
            | SymbolDisplayMiscellaneousOptions.AllowDefaultLiteral
    );

    /// <summary>Describes the assembly that a project's source makes.</summary>
    public static string Describe(ProjectSource project)
    {
        var options = project.Compilation.Options.WithNullableContextOptions(NullableContextOptions.Enable);
        var assembly = project.Compilation.WithOptions(options).Assembly;
        var types = TypesIn(assembly.GlobalNamespace)
            .Where(type => type.DeclaredAccessibility == Accessibility.Public)
            .OrderBy(type => type.ToDisplayString(TypeFormat), StringComparer.Ordinal);
        return string.Join('\n', types.Select(Describe));
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceSymbol space) =>
        space.GetTypeMembers().Concat(space.GetNamespaceMembers().SelectMany(TypesIn));

    private static string Describe(INamedTypeSymbol type)
    {
        var members = type.GetMembers()
            .Where(IsShown)
            .Select(member => $"    {Describe(member)}\n")
            .Order(StringComparer.Ordinal);
        return $"{Modifiers(type)}{type.ToDisplayString(TypeFormat)}{Bases(type)}\n{string.Concat(members)}";
    }

    private static bool IsShown(ISymbol member) =>
        !member.IsImplicitlyDeclared
        && member.DeclaredAccessibility is Accessibility.Public or Accessibility.Protected
        && member is not IMethodSymbol { MethodKind: MethodKind.PropertyGet or MethodKind.PropertySet };

    private static string Describe(ISymbol member) =>
        member is IPropertySymbol { IsRequired: true } ? $"required {Plain(member)}" : Plain(member);

    private static string Plain(ISymbol member) =>
        member.ToDisplayString(MemberFormat).Replace(" private set;", "", StringComparison.Ordinal);

    private static string Modifiers(INamedTypeSymbol type)
    {
        if (type.TypeKind == TypeKind.Enum)
            return "";
        if (type.TypeKind == TypeKind.Struct)
            return $"{(type.IsReadOnly ? "readonly " : "")}{(type.IsRefLikeType ? "ref " : "")}";
        if (type.IsStatic)
            return "static ";
        return type.IsSealed ? "sealed " : "";
    }

    private static string Bases(INamedTypeSymbol type)
    {
        if (type.TypeKind == TypeKind.Enum)
            return $" : {Plain(type.EnumUnderlyingType!)}";
        var inherited =
            type.BaseType is { SpecialType: SpecialType.None } parent && type.TypeKind == TypeKind.Class
                ? [Plain(parent)]
                : Array.Empty<string>();
        string[] all = [.. inherited, .. type.Interfaces.Select(Plain).Order(StringComparer.Ordinal)];
        return all.Length == 0 ? "" : $" : {string.Join(", ", all)}";
    }
}
