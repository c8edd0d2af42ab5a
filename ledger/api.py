"""Fee rules over HTTP, under the same laws as in the admin: members only, one proposes, another approves.

Ids are strings (64-bit numbers do not survive every JSON reader). Months are firsts of months, compared with the event
date in the company's time zone. Refusals answer 400 with `detail` and `code` "rule_refused", missing rights 403.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from ledger.approve import RuleData, RuleRefused, approve, propose_rules, reject
from ledger.filters import FeeRuleFilter
from ledger.models import FeeRule
from nova.models import Company


class FeeRuleSerializer(serializers.ModelSerializer):
    """A rule as it stands."""

    id = serializers.CharField(read_only=True)
    company = serializers.CharField(source="company.code")
    category = serializers.CharField(source="category.code")
    author = serializers.CharField(source="author.username")
    approver = serializers.CharField(source="approver.username", allow_null=True)

    class Meta:
        model = FeeRule
        fields = (
            "id",
            "company",
            "channel",
            "marketplace",
            "path",
            "name",
            "context",
            "category",
            "valid_from",
            "valid_to",
            "status",
            "source",
            "reason",
            "author",
            "proposed_at",
            "approver",
            "decided_at",
            "decision_reason",
        )
        read_only_fields = fields


class ProposalSerializer(serializers.Serializer):
    """What a new proposal says. `path`, `name` may hold `*`; an empty marketplace means all; context `*` means any."""

    company = serializers.CharField()
    channel = serializers.CharField()
    name = serializers.CharField()
    path = serializers.CharField(default="*")
    marketplace = serializers.CharField(default="", allow_blank=True)
    # The metaclass takes the field away before it could hide the serializer's own `context`.
    context = serializers.CharField(default="", allow_blank=True)  # type: ignore[assignment]
    category = serializers.CharField()
    valid_from = serializers.DateField(default=None, allow_null=True)
    valid_to = serializers.DateField(default=None, allow_null=True)
    reason = serializers.CharField(default="", allow_blank=True)


class DecisionSerializer(serializers.Serializer):
    """Why; a proposal that is returned needs a reason."""

    reason = serializers.CharField(default="", allow_blank=True)
    replace = serializers.BooleanField(default=False, help_text="End the approved rule with the same selector.")


class MaySeeRules(BasePermission):
    """Signed in, and in a role that sees fee rules."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated and request.user.has_perm("ledger.view_feerule"))


class NewestFirst(CursorPagination):
    """Pages that survive writes: each begins after the last row of the one before."""

    page_size = 100
    ordering = "-id"


class FeeRuleViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Fee rules of the companies the user is a member of."""

    serializer_class = FeeRuleSerializer
    permission_classes = [MaySeeRules]
    filterset_class = FeeRuleFilter
    pagination_class = NewestFirst
    queryset = FeeRule.objects.none()
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> Any:
        companies = Company.objects.for_user(self.request.user)  # type: ignore[attr-defined]
        rules = FeeRule.objects.filter(company__in=companies)
        return rules.select_related("company", "category", "author", "approver").order_by("-pk")

    @extend_schema(request=ProposalSerializer, responses={201: FeeRuleSerializer})
    def create(self, request: Request) -> Response:
        """Propose a rule; nothing changes in the P&L until somebody else approves it."""
        wanted = ProposalSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        data = dict(wanted.validated_data)
        company = Company.objects.for_user(request.user).filter(code=data.pop("company")).first()  # type: ignore[attr-defined]
        if company is None:
            raise ValidationError({"company": ["You are a member of no such company."]})
        rules = _told(lambda: propose_rules(company=company, author=request.user, items=[RuleData(**data)]))  # type: ignore[arg-type]
        return Response(self.get_serializer(rules[0]).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=DecisionSerializer, responses={200: FeeRuleSerializer})
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str = "") -> Response:
        """Approve a proposal of somebody else; it decides from this moment on."""
        rule, said = self._decision(request)
        _told(
            lambda: approve(rule_ids=[rule.pk], approver=request.user, reason=said["reason"], replace=said["replace"])  # type: ignore[arg-type]
        )
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=DecisionSerializer, responses={200: FeeRuleSerializer})
    @action(detail=True, methods=["post"], url_path="return")
    def return_to_author(self, request: Request, pk: str = "") -> Response:
        """Return a proposal to its author, with a reason."""
        rule, said = self._decision(request)
        _told(lambda: reject(rule_ids=[rule.pk], approver=request.user, reason=said["reason"]))  # type: ignore[arg-type]
        return Response(self.get_serializer(self.get_object()).data)

    def _decision(self, request: Request) -> tuple[FeeRule, dict[str, Any]]:
        try:
            rule: FeeRule = self.get_object()
        except (ValueError, OverflowError):
            raise Http404 from None
        said = DecisionSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        return rule, dict(said.validated_data)


def _told(write: Any) -> Any:
    """Do it; what is refused becomes an answer in plain words."""
    try:
        return write()
    except RuleRefused as error:
        raise ValidationError({"detail": str(error), "code": "rule_refused"}) from error


router = SimpleRouter()
router.register("fee-rules", FeeRuleViewSet, basename="fee-rule")
urlpatterns = router.urls
